"""Where harm is likely, how sure that is, and why: probabilities, sets, reasons and remaining lives of cases."""

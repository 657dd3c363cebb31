"""Nowcasts: what a running period looks like today, from indicators of several frequencies, and the news in it."""

"""The demo city: a documented generator with known ground truth. Everything that it writes is marked as simulated."""

from industrial_brain.simulation.city import FULL, SMALL, CitySize, CitySummary, write_city

__all__ = ["FULL", "SMALL", "CitySize", "CitySummary", "write_city"]

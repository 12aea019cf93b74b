"""Campaigns that are too long for every test run: ``make torture``."""

"""The runs screen: every run in the runs home, and what can be done with them. Imported when it is opened."""

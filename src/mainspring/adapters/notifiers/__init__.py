"""Ways to tell people of an alert."""

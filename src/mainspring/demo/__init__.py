"""The demo: a year of real flights, and the recipe that learns from them."""

"""When a model is trained again, by whom it is decided, and how far it may go alone."""

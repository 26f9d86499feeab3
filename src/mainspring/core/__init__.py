"""Words that every stage uses; knows no stage."""

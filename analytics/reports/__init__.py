"""Daily and weekly summaries: made of the records each time they are asked for, and kept nowhere."""

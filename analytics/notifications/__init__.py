"""Messages to people and programs: events found in the tables, an outbox, and three ways out of it."""

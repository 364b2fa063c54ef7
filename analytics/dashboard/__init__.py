"""The pages people look at: each view asks selectors and fills one template. Nothing is computed here."""

"""The import names of Kailash's workflow classes, for code written with them."""

"""How numbers, sizes and times are said, and how foreign text is made harmless."""

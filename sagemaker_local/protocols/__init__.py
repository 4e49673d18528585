"""From the wire to Python and back: shapes, and one module for each protocol that AWS's clients speak."""

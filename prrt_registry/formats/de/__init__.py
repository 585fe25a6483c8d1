"""German: days, months, years with full stops; a decimal comma."""

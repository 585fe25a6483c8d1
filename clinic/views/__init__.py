"""Pages that look across records, and the forms that write them."""

"""What helps people find their way: the documents, the glossary, the tour, shortcuts and the palette of pages and acts."""

"""Pages that look across records: home, patients, the chart, entry forms."""

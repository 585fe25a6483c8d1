"""What the registry is measured by: ``make bench``. Numbers of one run stand side by side; compare ratios, not runs."""

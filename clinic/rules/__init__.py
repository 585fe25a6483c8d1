"""Rules of what is due: plain Python in, plain Python out."""

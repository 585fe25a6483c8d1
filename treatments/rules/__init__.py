"""Rules of treatment: plain values in, plain values out."""

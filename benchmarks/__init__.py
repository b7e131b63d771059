"""Benchmarks: this project beside what one would run instead. `make benchmark` runs them; README.md explains them."""

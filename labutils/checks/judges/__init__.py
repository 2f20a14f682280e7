"""How answers are judged: values, networks, training loops, functions that predict."""

"""Models of what derivatives are worth and what margin they need. Float inside, `Cash` rounded up at the door."""

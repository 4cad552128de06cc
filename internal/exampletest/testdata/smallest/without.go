package main

func choice() string { return "" }

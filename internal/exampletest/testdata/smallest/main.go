// Command smallest is a program that does next to nothing, and shares next to nothing with what a bundle needs.
package main

import "fmt"

func main() { fmt.Println("no bundle", choice()) }

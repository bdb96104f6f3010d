package main

import (
	"fmt"
	"net/http"
	"os"

	"example.com/service/greet"
)

var version = "none"

func main() {
	if len(os.Args) > 1 && os.Args[1] == "version" {
		fmt.Println(version)
		return
	}
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, greet.Hello("world")) })
	fmt.Println(http.ListenAndServe(":8080", nil))
}

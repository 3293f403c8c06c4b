// Submits the jobs of a manifest, waits for them and saves the results:
// go run ./batch cars manifest.ndjson results.ndjson
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"os"
	"time"

	"example/ovseg"
)

type batch struct {
	IsFinal  bool `json:"is_final"`
	Counts   map[string]int
	Progress struct{ Done, Total int }
	Manifest struct {
		Errors []struct {
			Line    int
			Message string
		}
	}
}

func main() {
	path := "/v1/batches/" + os.Args[1]
	manifest, err := os.ReadFile(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	found, err := send("PUT", path, manifest)
	for _, problem := range found.Manifest.Errors {
		log.Printf("line %d: %s", problem.Line, problem.Message)
	}
	for err == nil && !found.IsFinal {
		log.Printf("%d of %d", found.Progress.Done, found.Progress.Total)
		time.Sleep(time.Second) // answers are held for up to 30 s, but not if too many clients wait
		found, err = send("GET", path+"?wait=30", nil)
	}
	if err != nil {
		log.Fatal(err)
	}
	if err := ovseg.Save(path+"/results", os.Args[3]); err != nil {
		log.Fatal(err)
	}
	fmt.Println(found.Counts)
}

func send(method, path string, manifest []byte) (found batch, err error) {
	header := map[string]string{"Content-Type": "application/x-ndjson"}
	answer, err := ovseg.Send(method, path, header, manifest)
	if err != nil {
		return found, err
	}
	defer answer.Body.Close()
	err = json.NewDecoder(answer.Body).Decode(&found)
	return found, err
}

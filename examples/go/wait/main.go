// Waits for a job, prints its masks and saves the overlay: go run ./wait ID
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"os"
	"time"

	"example/ovseg"
)

type job struct {
	Status  string
	IsFinal bool `json:"is_final"`
	Error   struct{ Message string }
	Result  *struct {
		MaskInfos []struct {
			Score float64
			Box   [4]int
		}
	}
	ResultGone struct{ Reason string } `json:"result_gone"`
}

func main() {
	found, err := read(os.Args[1])
	for err == nil && !found.IsFinal {
		time.Sleep(time.Second) // answers are held for up to 30 s, but not if too many clients wait
		found, err = read(os.Args[1])
	}
	if err != nil {
		log.Fatal(err)
	}
	if found.Result == nil {
		log.Fatalf("%s: %s%s", found.Status, found.Error.Message, found.ResultGone.Reason)
	}
	for _, mask := range found.Result.MaskInfos {
		fmt.Println(mask.Score, mask.Box)
	}
	if err := ovseg.Save("/v1/jobs/"+os.Args[1]+"/files/overlay.jpg", "overlay.jpg"); err != nil {
		log.Fatal(err)
	}
}

func read(id string) (found job, err error) {
	answer, err := ovseg.Send("GET", "/v1/jobs/"+id+"?wait=30", nil, nil)
	if err != nil {
		return found, err
	}
	defer answer.Body.Close()
	err = json.NewDecoder(answer.Body).Decode(&found)
	return found, err
}

// Submits a photo with a box, and prints the id of the job:
// go run ./submit photo.jpg 140,10,305,180
package main

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log"
	"mime/multipart"
	"os"

	"example/ovseg"
)

func main() {
	photo, box := os.Args[1], os.Args[2]
	body, contentType, err := form(photo, box)
	if err != nil {
		log.Fatal(err)
	}
	key := make([]byte, 16)
	rand.Read(key)
	header := map[string]string{
		"Content-Type":    contentType,
		"Idempotency-Key": fmt.Sprintf("%x", key), // one for all tries: the job is accepted once
	}
	answer, err := ovseg.Send("POST", "/v1/jobs", header, body)
	if err != nil {
		log.Fatal(err)
	}
	defer answer.Body.Close()
	var job struct{ ID string }
	if err := json.NewDecoder(answer.Body).Decode(&job); err != nil {
		log.Fatal(err)
	}
	fmt.Println(job.ID)
}

func form(photo, box string) ([]byte, string, error) {
	image, err := os.ReadFile(photo)
	if err != nil {
		return nil, "", err
	}
	var body bytes.Buffer
	writer := multipart.NewWriter(&body)
	part, _ := writer.CreateFormFile("image", photo) // writing to memory does not fail
	part.Write(image)
	writer.WriteField("box", box)
	writer.Close()
	return body.Bytes(), writer.FormDataContentType(), nil
}

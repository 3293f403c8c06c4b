// Package ovseg sends requests to the service.
package ovseg

import (
	"bytes"
	"fmt"
	"io"
	"math/rand"
	"net/http"
	"os"
	"strconv"
	"time"
)

var client = &http.Client{Transport: &http.Transport{
	Proxy:                 http.ProxyFromEnvironment,
	ResponseHeaderTimeout: 2 * time.Minute,
}}

// Send returns the answer to a request, which it sends again if the service is busy or unreachable.
// The caller closes the body of the answer.
func Send(method, path string, header map[string]string, body []byte) (*http.Response, error) {
	for tries := 1; ; tries++ {
		answer, err := sendOnce(method, path, header, body)
		if err == nil && answer.StatusCode < 300 {
			return answer, nil
		}
		seconds, isFault := 0, err != nil
		if !isFault {
			seconds, _ = strconv.Atoi(answer.Header.Get("Retry-After"))
			isFault = answer.StatusCode == 429 || answer.StatusCode >= 502 // too much, or out of order
			reason, _ := io.ReadAll(answer.Body)
			answer.Body.Close()
			err = fmt.Errorf("%s: %s", answer.Status, reason)
		}
		if tries == 8 || !isFault {
			return nil, err
		}
		if seconds == 0 {
			seconds = 1 << (tries - 1)
		}
		time.Sleep(time.Duration(float64(seconds) * (1 + rand.Float64()/4) * float64(time.Second)))
	}
}

func sendOnce(method, path string, header map[string]string, body []byte) (*http.Response, error) {
	url := os.Getenv("OVSEG_URL")
	if url == "" {
		url = "http://127.0.0.1:8080"
	}
	request, err := http.NewRequest(method, url+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	for name, value := range header {
		request.Header.Set(name, value)
	}
	if key := os.Getenv("OVSEG_API_KEY"); key != "" {
		request.Header.Set("Authorization", "Bearer "+key)
	}
	return client.Do(request)
}

// Save writes what the service answers for a path into a file.
func Save(path, file string) error {
	answer, err := Send("GET", path, nil, nil)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	saved, err := os.Create(file)
	if err != nil {
		return err
	}
	defer saved.Close()
	_, err = io.Copy(saved, answer.Body)
	return err
}

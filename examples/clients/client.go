// Ask a running service in Go: go run client.go http://127.0.0.1:3000 digits ../one_digit.json 8
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"os"
	"time"
)

type object = map[string]any

var client = http.Client{Timeout: 30 * time.Second}

func post(address string, body object) (answer object, err error) {
	sent := must(json.Marshal(body))
	request := must(http.NewRequest("POST", address, bytes.NewReader(sent)))
	request.Header.Set("content-type", "application/json")
	request.Header.Set("authorization", "Bearer "+os.Getenv("RELEVE_TOKEN")) // none is needed on loopback
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	err = json.NewDecoder(response.Body).Decode(&answer)
	if fault, refused := answer["error"].(object); refused {
		err = fmt.Errorf("%d %s: %s", response.StatusCode, fault["code"], fault["message"])
	}
	return answer, err
}

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}

func main() {
	scenario := os.Args[1] + "/scenarios/" + os.Args[2]
	var asked struct{ Rows []object }
	must(0, json.Unmarshal(must(os.ReadFile(os.Args[3])), &asked))
	answer := must(post(scenario+"/predict", object{"rows": asked.Rows}))
	first := answer["predictions"].([]any)[0].(object)
	predicted, isClass := first["label"]
	if !isClass { // of a regression
		predicted = first["value"]
	}
	fmt.Printf("predicted %v by %s\n", predicted, answer["model_version"])
	found := must(post(scenario+"/search", object{"row": asked.Rows[0], "limit": 3}))
	fmt.Printf("neighbours %d\n", len(found["neighbours"].([]any)))
	label := object{"id": first["id"], "label": json.RawMessage(os.Args[4])} // the truth, once it is known
	fmt.Printf("accepted %v\n", must(post(scenario+"/feedback", object{"labels": []object{label}}))["accepted"])
	_, err := post(scenario+"/predict", object{"rows": []object{}})
	fmt.Printf("refused %v\n", err)
}

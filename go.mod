module example.com/hardy

go 1.26.0

require github.com/fxamacker/cbor/v2 v2.9.6

require (
	github.com/dunglas/httpsfv v1.1.2
	github.com/gorilla/securecookie v1.1.2 // indirect
	pgregory.net/rapid v1.3.0
)

require (
	github.com/x448/float16 v0.8.4 // indirect
	golang.org/x/time v0.16.0
)

module example.com/hardy/compat/gorilla

go 1.26.0

replace example.com/hardy => ../../

require (
	example.com/hardy v0.0.0
	github.com/felixge/httpsnoop v1.0.4
	github.com/gorilla/securecookie v1.1.2
	github.com/gorilla/sessions v1.4.0
)

require (
	github.com/fxamacker/cbor/v2 v2.9.6 // indirect
	github.com/x448/float16 v0.8.4 // indirect
	golang.org/x/time v0.16.0 // indirect
)

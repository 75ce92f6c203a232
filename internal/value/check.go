package value

import (
	"encoding"
	"fmt"
	"io"
	"math/big"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/fxamacker/cbor/v2"
)

// Check says whether values of type t can be stored and read back. The error names the part of t that
// can't, why, and what to do instead.
func Check(t reflect.Type) error { return judge(t).err }

// Dynamic says whether the type alone does not tell: values of t have to pass CheckValue before they are
// encoded, because t contains an any, itself, or a time.Time.
func Dynamic(t reflect.Type) bool { return judge(t).dynamic }

// verdict is what can be known of a type without a value.
type verdict struct {
	err     error // cannot be stored
	inAny   error // cannot be stored inside an any, where it reads back as a plain kind
	dynamic bool  // see Dynamic
	wide    bool  // holds a uint64 that inside an any may be too large to read back
	depth   int   // levels of nesting, where not dynamic
}

// verdicts remembers what judge found, as types do not change: it has no other influence.
var verdicts sync.Map // reflect.Type → *verdict

func judge(t reflect.Type) *verdict {
	if v, ok := verdicts.Load(t); ok {
		return v.(*verdict)
	}
	j := judgement{open: map[reflect.Type]bool{}}
	j.depth = j.levels(t, "")
	if j.err == nil && j.depth > maxDepth {
		j.err = fmt.Errorf("%s nests %d levels; at most %d are stored", t, j.depth, maxDepth)
	}
	v, _ := verdicts.LoadOrStore(t, &j.verdict)
	return v.(*verdict)
}

type judgement struct {
	verdict
	open map[reflect.Type]bool // types being looked at: meeting one again is a recursive type
}

// refuse keeps the first reason.
func (j *judgement) refuse(path string, t reflect.Type, why string) {
	if j.err == nil {
		j.err = refusal(path, t, why)
	}
}

func refusal(path string, t reflect.Type, why string) error {
	if path != "" {
		return fmt.Errorf("%s: %s cannot be stored: %s", path, t, why)
	}
	return fmt.Errorf("%s cannot be stored: %s", t, why)
}

const (
	whyOpen      = "open files and uploads don't outlive their request; read the bytes and store those, or a name"
	whyInterface = "nothing says which type to read back; use a concrete type or any"
)

var (
	typeTime   = reflect.TypeFor[time.Time]()
	typeBigInt = reflect.TypeFor[big.Int]()
	typeReader = reflect.TypeFor[io.Reader]()
	typeCloser = reflect.TypeFor[io.Closer]()
)

// levels looks at t and returns how deep it nests.
func (j *judgement) levels(t reflect.Type, path string) int {
	if why := never(t); why != "" {
		j.refuse(path, t, why)
		return 0
	}
	switch t {
	case typeTime:
		j.dynamic = true
		return 1 // its tag
	case typeBigInt:
		j.bar(path, t, "it would read back as another type; store its text")
		return 1
	}
	if ok, why := marshals(t); t.Kind() != reflect.Pointer && (ok || why != "") {
		if why != "" {
			j.refuse(path, t, why)
		}
		return 0
	}
	if j.open[t] {
		j.dynamic = true
		return 0
	}
	j.open[t] = true
	defer delete(j.open, t)

	switch t.Kind() {
	case reflect.Pointer:
		if indirect(t) == nil {
			j.refuse(path, t, "it points to nothing but itself")
			return 0
		}
		return j.levels(t.Elem(), path)
	case reflect.Uint, reflect.Uint64:
		j.wide = true
	case reflect.Interface: // any: never has refused the others
		j.dynamic = true
	case reflect.Slice, reflect.Array:
		if t.Elem().Kind() != reflect.Uint8 {
			return 1 + j.levels(t.Elem(), path+"[]")
		}
	case reflect.Map:
		j.key(t.Key(), path)
		return 1 + j.levels(t.Elem(), path+"[]")
	case reflect.Struct:
		stored, depth := j.fields(t, path)
		if stored == 0 && t.NumField() > 0 {
			why := "it has no exported field, so nothing of it would be stored; copy what matters into fields of your own"
			if p := reflect.PointerTo(t); p.Implements(typeReader) || p.Implements(typeCloser) {
				why = whyOpen
			}
			j.refuse(path, t, why)
		}
		return 1 + depth
	}
	return 0
}

// indirect follows pointers to what they point to at last; nil for type P *P.
func indirect(t reflect.Type) reflect.Type {
	for range 100 {
		if t.Kind() != reflect.Pointer {
			return t
		}
		t = t.Elem()
	}
	return nil
}

// bar refuses t inside an any only.
func (j *judgement) bar(path string, t reflect.Type, why string) {
	if j.inAny == nil {
		j.inAny = refusal(path, t, "inside an any "+why)
	}
}

// never says why no value of t can be stored, looking at t alone.
func never(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Chan, reflect.Func:
		return "it lives in the running program only"
	case reflect.Complex64, reflect.Complex128:
		return "CBOR has no complex numbers; store two floats"
	case reflect.UnsafePointer, reflect.Uintptr:
		return "an address means nothing to another process; store what it points to"
	case reflect.Interface:
		if t.NumMethod() == 0 {
			return ""
		}
		if t.Implements(typeReader) || t.Implements(typeCloser) {
			return whyOpen
		}
		return whyInterface
	case reflect.Struct:
		if t.PkgPath() == "mime/multipart" {
			return whyOpen
		}
	}
	return ""
}

// marshals says whether t writes and reads itself, by the pair that the modes use: CBOR, else binary,
// else text. why is set where it writes itself one way and can't read that.
func marshals(t reflect.Type) (ok bool, why string) {
	p := reflect.PointerTo(t)
	has := func(i reflect.Type) bool { return p.Implements(i) }
	mC, uC := has(reflect.TypeFor[cbor.Marshaler]()), has(reflect.TypeFor[cbor.Unmarshaler]())
	mB, uB := has(reflect.TypeFor[encoding.BinaryMarshaler]()), has(reflect.TypeFor[encoding.BinaryUnmarshaler]())
	mT, uT := has(reflect.TypeFor[encoding.TextMarshaler]()), has(reflect.TypeFor[encoding.TextUnmarshaler]())
	switch {
	case t.Kind() == reflect.Interface:
		return false, ""
	case mC != uC:
		return false, one("CBOR", mC)
	case mC:
		return true, ""
	case mB != uB:
		return false, one("Binary", mB)
	case mB:
		return true, ""
	case mT != uT && mT:
		return false, one("Text", mT)
	case mT:
		return true, ""
	case uT && t.Kind() == reflect.String:
		return false, one("Text", false)
	}
	return false, ""
}

func one(form string, marshals bool) string {
	has, lacks := "Unmarshal"+form, "Marshal"+form
	if marshals {
		has, lacks = lacks, has
	}
	return "it has " + has + " but no " + lacks + "; add it"
}

// key looks at the type of a map's keys.
func (j *judgement) key(t reflect.Type, path string) {
	path += " key"
	pair, why := marshals(t)
	switch k := t.Kind(); {
	case t == typeTime:
		j.refuse(path, t, "two times that are equal can differ as keys; use Unix seconds or text")
		return
	case why != "":
		j.refuse(path, t, why)
		return
	case pair && k != reflect.Pointer:
	case k == reflect.String:
		return
	case k == reflect.Bool, k >= reflect.Int && k <= reflect.Uint64:
	case k == reflect.Array && t.Elem().Kind() == reflect.Uint8:
	default:
		j.refuse(path, t, "it does not read back as the same key; use string or an integer")
		return
	}
	j.bar(path, t, "the keys of a map are strings")
}

// fields looks at the fields that the library stores, by its rules: exported and promoted ones, less those
// tagged "-". It returns how many there are and how deep they nest.
func (j *judgement) fields(t reflect.Type, path string) (stored, depth int) {
	for f := range t.Fields() {
		tag := f.Tag.Get("cbor")
		if tag == "" {
			tag = f.Tag.Get("json")
		}
		inner := indirect(f.Type)
		embedded := f.Anonymous && inner != nil && inner.Kind() == reflect.Struct
		if tag == "-" || !f.IsExported() && !embedded {
			continue
		}
		at := path + "." + f.Name
		name, options, _ := strings.Cut(tag, ",")
		if strings.Contains(options, "keyasint") {
			if _, err := strconv.Atoi(name); err != nil {
				j.refuse(at, f.Type, "keyasint wants a number for a name")
			}
			j.bar(path, t, "the keys of a map are strings")
		}
		if !embedded || name != "" || inner == typeTime {
			stored++
			depth = max(depth, j.levels(f.Type, at))
			continue
		}
		if j.open[inner] {
			j.dynamic = true
			continue
		}
		j.open[inner] = true
		n, d := j.fields(inner, path)
		delete(j.open, inner)
		stored, depth = stored+n, max(depth, d)
		if n > 0 && !f.IsExported() && f.Type.Kind() == reflect.Pointer {
			j.refuse(at, f.Type, "a pointer to an unexported type can't be set on reading; embed the struct itself")
		}
	}
	return stored, depth
}

package browser

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// The bell is built once, as a program of its own: what is tested is what people start.
var build = sync.OnceValues(func() (string, error) {
	folder, err := os.MkdirTemp("", "bell-*")
	if err != nil {
		return "", err
	}
	program := filepath.Join(folder, "bell")
	cmd := exec.Command("go", "build", "-o", program, "./examples/bell")
	cmd.Dir = "../.."
	if out, err := cmd.CombinedOutput(); err != nil {
		return program, fmt.Errorf("building the bell: %w\n%s", err, out)
	}
	return program, nil
})

func forgetProgram() {
	if program, err := build(); err == nil {
		os.RemoveAll(filepath.Dir(program))
	}
}

// bell is the running program.
type bell struct {
	t      *testing.T
	folder string
	args   []string
	port   string
	scheme string
	cmd    *exec.Cmd
}

// hang starts a bell with files of its own.
func hang(t *testing.T, args ...string) *bell {
	t.Helper()
	folder := t.TempDir()
	b := &bell{t: t, folder: folder, port: "0", args: append([]string{"-db", filepath.Join(folder, "bell.db")}, args...)}
	b.start()
	t.Cleanup(func() {
		if b.cmd != nil {
			b.stop()
		}
	})
	return b
}

func (b *bell) start() {
	b.t.Helper()
	program, err := build()
	if err != nil {
		b.t.Fatal(err)
	}
	b.cmd = exec.Command(program, append([]string{"-http", "127.0.0.1:" + b.port}, b.args...)...)
	said, err := b.cmd.StderrPipe()
	if err != nil {
		b.t.Fatal(err)
	}
	if err := b.cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	lines := bufio.NewScanner(said)
	for lines.Scan() {
		if _, at, found := strings.Cut(lines.Text(), "hangs at "); found {
			var address string
			b.scheme, address, _ = strings.Cut(at, "://")
			_, b.port, _ = net.SplitHostPort(strings.SplitN(address, "/", 2)[0])
			go func() {
				for lines.Scan() { // or it would wait for us
				}
			}()
			return
		}
		b.t.Log(lines.Text())
	}
	b.t.Fatalf("the bell ended at once: %v", b.cmd.Wait())
}

// stop takes it down as Ctrl+C does.
func (b *bell) stop() {
	b.t.Helper()
	b.cmd.Process.Signal(syscall.SIGINT)
	if err := b.cmd.Wait(); err != nil {
		b.t.Errorf("the bell ended with %v", err)
	}
	b.cmd = nil
}

// site is the address of one of its hosts.
func (b *bell) site(host string) string {
	return b.scheme + "://" + host + ".hardy.localhost:" + b.port
}

// short is an idle timeout that a test can wait for, and that a busy machine does not reach by itself.
const short = 6 * time.Second

// outlive waits until a session has certainly ended by idling.
func outlive() { time.Sleep(short + short/30 + 200*time.Millisecond) }

// certificate makes one for the bell's hosts, and returns the flags that name its files.
func certificate(t *testing.T) []string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		DNSNames:     []string{"bell.hardy.localhost", "two.hardy.localhost"},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(24 * time.Hour),
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	var flags []string
	for _, file := range []struct {
		flag, kind string
		bytes      []byte
	}{{"-tls-cert", "CERTIFICATE", cert}, {"-tls-key", "PRIVATE KEY", private}} {
		path := filepath.Join(folder, file.flag[1:]+".pem")
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: file.kind, Bytes: file.bytes}), 0o600); err != nil {
			t.Fatal(err)
		}
		flags = append(flags, file.flag, path)
	}
	return flags
}

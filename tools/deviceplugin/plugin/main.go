// A device plugin as vendors write them: on grpc-go and the kubelet's own deviceplugin API.
//
// It lists devices dev-0, dev-1, ... of one resource. Commands come on standard input, one a line:
// `sick ID` and `well ID` change a device's health, `register` registers again. What it was asked
// goes to standard output, one JSON object a line.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	api "k8s.io/kubelet/pkg/apis/deviceplugin/v1beta1"
)

type plugin struct {
	api.UnimplementedDevicePluginServer
	resource  string
	options   *api.DevicePluginOptions
	allocFail bool
	cdi       string

	mutex   sync.Mutex
	devices []*api.Device
	changed chan struct{}
}

func say(fields map[string]any) {
	line, _ := json.Marshal(fields)
	fmt.Println(string(line))
}

func (p *plugin) GetDevicePluginOptions(context.Context, *api.Empty) (*api.DevicePluginOptions, error) {
	return p.options, nil
}

func (p *plugin) ListAndWatch(_ *api.Empty, stream api.DevicePlugin_ListAndWatchServer) error {
	say(map[string]any{"call": "ListAndWatch"})
	for {
		p.mutex.Lock()
		devices, changed := p.devices, p.changed
		p.mutex.Unlock()
		if err := stream.Send(&api.ListAndWatchResponse{Devices: devices}); err != nil {
			return err
		}
		select {
		case <-changed:
		case <-stream.Context().Done():
			return nil
		}
	}
}

func (p *plugin) GetPreferredAllocation(_ context.Context, r *api.PreferredAllocationRequest) (*api.PreferredAllocationResponse, error) {
	out := &api.PreferredAllocationResponse{}
	for _, one := range r.ContainerRequests {
		// The last ones first, so that a test can tell this from no preference.
		ids := append([]string{}, one.MustIncludeDeviceIDs...)
		for at := len(one.AvailableDeviceIDs) - 1; at >= 0 && len(ids) < int(one.AllocationSize); at-- {
			ids = append(ids, one.AvailableDeviceIDs[at])
		}
		out.ContainerResponses = append(out.ContainerResponses,
			&api.ContainerPreferredAllocationResponse{DeviceIDs: ids})
		say(map[string]any{"call": "GetPreferredAllocation", "ids": ids})
	}
	return out, nil
}

func (p *plugin) Allocate(_ context.Context, r *api.AllocateRequest) (*api.AllocateResponse, error) {
	out := &api.AllocateResponse{}
	for _, one := range r.ContainerRequests {
		say(map[string]any{"call": "Allocate", "ids": one.DevicesIds})
		if p.allocFail {
			return nil, fmt.Errorf("the device does not answer: 100%% lost, état inconnu")
		}
		answer := &api.ContainerAllocateResponse{
			Envs:        map[string]string{"SKERRY_TEST_DEVICES": strings.Join(one.DevicesIds, ",")},
			Annotations: map[string]string{"example.com/devices": strings.Join(one.DevicesIds, ",")},
			Mounts: []*api.Mount{
				{HostPath: "/etc/hostname", ContainerPath: "/device-file", ReadOnly: true},
			},
			Devices: []*api.DeviceSpec{
				{HostPath: "/dev/zero", ContainerPath: "/dev/fake-zero", Permissions: "r"},
				{HostPath: "/dev/null", ContainerPath: "/dev/fake-null", Permissions: "rw"},
			},
		}
		if p.cdi != "" {
			answer.CdiDevices = []*api.CDIDevice{{Name: p.cdi}}
		}
		out.ContainerResponses = append(out.ContainerResponses, answer)
	}
	return out, nil
}

func (p *plugin) PreStartContainer(_ context.Context, r *api.PreStartContainerRequest) (*api.PreStartContainerResponse, error) {
	say(map[string]any{"call": "PreStartContainer", "ids": r.DevicesIds})
	return &api.PreStartContainerResponse{}, nil
}

func (p *plugin) health(id, health string) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	next := make([]*api.Device, 0, len(p.devices))
	for _, one := range p.devices {
		if one.ID == id {
			one = &api.Device{ID: id, Health: health}
		}
		next = append(next, one)
	}
	p.devices = next
	close(p.changed)
	p.changed = make(chan struct{})
}

// register tells the kubelet of the plugin, as every plugin does: dial, call, close.
func (p *plugin) register(folder, endpoint, version string) error {
	conn, err := grpc.NewClient("unix://"+filepath.Join(folder, "kubelet.sock"),
		grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_, err = api.NewRegistrationClient(conn).Register(ctx, &api.RegisterRequest{
		Version: version, Endpoint: endpoint, ResourceName: p.resource, Options: p.options,
	})
	return err
}

func main() {
	folder := flag.String("folder", "", "folder of kubelet.sock")
	resource := flag.String("resource", "example.com/fake", "name of the resource")
	endpoint := flag.String("endpoint", "fake.sock", "name of the plugin's socket")
	count := flag.Int("count", 4, "devices")
	version := flag.String("version", api.Version, "version to register with")
	prestart := flag.Bool("prestart", false, "ask for PreStartContainer")
	prefer := flag.Bool("prefer", false, "ask for GetPreferredAllocation")
	allocFail := flag.Bool("alloc-fail", false, "refuse every Allocate")
	cdi := flag.String("cdi", "", "CDI device that Allocate answers")
	times := flag.Int("times", 1, "how often to register")
	flag.Parse()

	p := &plugin{
		resource:  *resource,
		options:   &api.DevicePluginOptions{PreStartRequired: *prestart, GetPreferredAllocationAvailable: *prefer},
		allocFail: *allocFail,
		cdi:       *cdi,
		changed:   make(chan struct{}),
	}
	for at := range *count {
		p.devices = append(p.devices, &api.Device{ID: fmt.Sprintf("dev-%d", at), Health: api.Healthy})
	}
	path := filepath.Join(*folder, *endpoint)
	os.Remove(path)
	listener, err := net.Listen("unix", path)
	if err != nil {
		say(map[string]any{"error": err.Error()})
		os.Exit(1)
	}
	server := grpc.NewServer()
	api.RegisterDevicePluginServer(server, p)
	go server.Serve(listener)
	defer server.Stop()

	register := func() {
		if err := p.register(*folder, *endpoint, *version); err != nil {
			say(map[string]any{"registered": false, "error": err.Error()})
		} else {
			say(map[string]any{"registered": true})
		}
	}
	for range *times {
		register()
	}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		switch {
		case len(words) == 1 && words[0] == "register":
			register()
		case len(words) == 2 && words[0] == "sick":
			p.health(words[1], api.Unhealthy)
		case len(words) == 2 && words[0] == "well":
			p.health(words[1], api.Healthy)
		}
	}
}

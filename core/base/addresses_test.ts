import assert from "node:assert/strict";
import { bracketed, hostAndPort, isLoopback, ownAddress, splitCidr } from "./addresses.ts";

Deno.test("hostAndPort() puts IPv6 addresses in brackets, once", () => {
  assert.equal(hostAndPort("10.0.0.1", 443), "10.0.0.1:443");
  assert.equal(hostAndPort("hub.example.test", 443), "hub.example.test:443");
  assert.equal(hostAndPort("fd00::1", "443"), "[fd00::1]:443");
  assert.equal(hostAndPort("[fd00::1]", 443), "[fd00::1]:443");
  assert.equal(bracketed("::"), "[::]");
});

Deno.test("ownAddress() is the loopback of the family for a listener on all addresses", () => {
  assert.equal(ownAddress("0.0.0.0"), "127.0.0.1");
  assert.equal(ownAddress("::"), "::1");
  assert.equal(ownAddress("fd00::9"), "fd00::9");
});

Deno.test("isLoopback() tells what reaches its own machine alone", () => {
  for (const host of ["127.0.0.1", "127.9.0.1", "::1", "0:0::1", "localhost", "LocalHost"]) {
    assert.equal(isLoopback(host), true, host);
  }
  for (const host of ["0.0.0.0", "::", "10.0.0.1", "fd00::1", "127.example.com", "a1:0::1"]) {
    assert.equal(isLoopback(host), false, host);
  }
});

Deno.test("splitCidr() reads ranges of both families", () => {
  assert.deepEqual(splitCidr("fd00::/64"), { family: "ipv6", address: "fd00::", bits: 64 });
  assert.deepEqual(splitCidr("10.0.0.0/0"), { family: "ipv4", address: "10.0.0.0", bits: 0 });
  for (const text of ["fd00::/129", "fe80::1%eth0/64", "10.0.0.0/33", "10.0.0.0/", "/8", ""]) {
    assert.equal(splitCidr(text), undefined, text);
  }
});

// Pages of other sites in Chromium, against every port that brigade opens on this machine. Run by .ci/page.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";

import { browser, dev } from "./browser.mjs";

// A name that a stranger owns, and that leads here: by it a page is on another site, and by rebinding it is on ours.
const EVIL = "evil.test";
const BUCKET = "storage/v1/b/brigade-dev/o";
const UPLOAD = "upload/storage/v1/b/brigade-dev/o?uploadType=media&name=";

let chrome, system, emulator, service, site, ports, pushed;

/** Starts a brigade; resolves with the first match of a line, and a function that ends it. */
async function brigade(args, wanted, env = {}) {
  const child = spawn(process.env.BRIGADE, args, { env: { ...process.env, ...env } });
  const found = await new Promise((done, failed) => {
    for (const stream of [child.stdout, child.stderr])
      createInterface({ input: stream }).on("line", (line) => {
        const match = line.match(wanted);
        if (match) done(match[1]);
      });
    child.once("exit", (code) => failed(new Error(`${args} ended with ${code}`)));
  });
  const stop = () => new Promise((done) => (child.once("exit", done), child.kill("SIGTERM")));
  return { port: new URL(found.includes("://") ? found : `http://${found}`).port, stop };
}

before(async () => {
  pushed = createServer((request, answer) => {
    pushed.calls.push(request.headers.authorization ?? "");
    answer.end("pushed");
  });
  pushed.calls = [];
  site = createServer((_, answer) => {
    answer.setHeader("content-type", "text/html");
    answer.end("<title>evil</title>");
  });
  await Promise.all([site, pushed].map((server) => new Promise((done) => server.listen(0, "127.0.0.1", done))));
  const front = `hook=${pushed.address().port},http1,invoker=pubsub,push=/events:pubsub`;
  emulator = await brigade(["emulator", "--memory", "--port", "0", "--front-end", front], /HOOK_URL=(\S+)/);
  const { env } = (system = await dev("#!/bin/sh\n", "--no-schedule"));
  const { worker, emulator: storage } = system.serving;
  const settings = { ...env, BRIGADE_AUTH: "off", BRIGADE_BIND: "127.0.0.1", PORT: "0", STORAGE_EMULATOR_HOST: storage };
  service = await brigade(["worker", "--exec", "true"], /(127\.0\.0\.1:\d+)/, settings);
  const port = (url) => new URL(url).port;
  ports = {
    emulator: port(storage),
    "front end of dev's poller": port(system.poller),
    "front end of dev's worker": port(worker),
    page: port(system.url),
    "front end with push": emulator.port,
    "worker without tokens": service.port,
  };
  chrome = await browser(`--host-resolver-rules=MAP ${EVIL} 127.0.0.1`);
});

after(async () => {
  await chrome?.close();
  for (const started of [service, emulator, system]) await started?.stop();
  site?.close();
  pushed?.close();
});

/** The objects' names, as a program of this machine reads them. */
async function names() {
  const listed = await fetch(`http://127.0.0.1:${ports.emulator}/${BUCKET}`);
  return ((await listed.json()).items ?? []).map((object) => object.name).sort();
}

/** What a page can make the browser send without asking the server first: its statuses, by what sent it. */
async function attack(page, origin) {
  const statuses = [];
  page.on("response", (response) => statuses.push([response.status(), response.request().method(), response.url()]));
  const read = await page.evaluate(
    async ([origin, bucket, upload]) => {
      const read = [];
      const send = async (path, options) => {
        for (const mode of ["no-cors", "cors"]) {
          const answer = await fetch(`${origin}/${path}`, { mode, ...options }).catch(() => null);
          read.push((await answer?.text().catch(() => "")) ?? "");
        }
      };
      const post = { method: "POST", body: "evil" };
      await send(bucket);
      await send("oauth2/v3/certs");
      await send("healthz");
      await send(`${upload}incoming/evil`, post);
      await send(`${bucket}/processed%2Fa/copyTo/b/brigade-dev/o/incoming%2Fevil`, post);
      await send("events", post);
      await send("poll", { method: "POST", body: new URLSearchParams({ a: "b" }) });
      for (const element of ["img", "script", "iframe"]) {
        const loaded = document.createElement(element);
        await new Promise((done) => {
          loaded.onload = loaded.onerror = done;
          loaded.src = `${origin}/${bucket}?${element}`;
          document.body.append(loaded);
        });
      }
      const form = Object.assign(document.createElement("form"), {
        method: "post", enctype: "text/plain", target: "sink", action: `${origin}/${upload}incoming/form`,
      });
      const sink = Object.assign(document.createElement("iframe"), { name: "sink" });
      document.body.append(sink, form);
      await new Promise((done) => ((sink.onload = done), form.submit()));
      return read;
    },
    [origin, BUCKET, UPLOAD],
  );
  return { statuses, read };
}

for (const rebound of [false, true]) {
  const kind = rebound ? "a name that now leads to this machine" : "a page of another site";
  test(`${kind} reads nothing and changes nothing on any local port`, async () => {
    const existing = await names();
    for (const [what, port] of Object.entries(ports)) {
      const page = await chrome.newPage();
      const home = `http://${EVIL}:${rebound ? port : site.address().port}/`;
      await page.goto(home);
      const { statuses, read } = await attack(page, rebound ? new URL(home).origin : `http://127.0.0.1:${port}`);
      const sent = statuses.filter(([, , url]) => new URL(url).port === port);
      for (const method of ["GET", "POST"])
        assert.ok(sent.some(([, used]) => used === method), `${what}: no ${method} arrived`);
      // A front end says that no service has the foreign host.
      const served = sent.filter(([status]) => status !== 403 && !(rebound && status === 404));
      assert.deepEqual(served, [], what);
      for (const text of read.filter(Boolean)) assert.match(text, /^the host|<h1>Error/, what);
      await page.close();
    }
    assert.deepEqual(await names(), existing);
    assert.deepEqual(pushed.calls, []);
  });
}

test("programs of this machine are served as before", async () => {
  const statusOf = async (what, path) => (await fetch(`http://127.0.0.1:${ports[what]}/${path}`)).status;
  assert.equal(await statusOf("emulator", BUCKET), 200);
  assert.equal(await statusOf("worker without tokens", "healthz"), 200);
  assert.equal(await statusOf("front end with push", "events"), 200);
  assert.match(pushed.calls[0], /^Bearer /);
});

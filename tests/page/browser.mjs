// Starts brigade dev and a browser, and closes both.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { tmpdir } from "node:os";
import { join } from "node:path";

// The packages are below NODE_PREFIX, which .ci/page fills.
const require = createRequire(join(process.env.NODE_PREFIX, "node_modules", "x.js"));
const { chromium } = require("playwright-core");
export const AXE = require.resolve("axe-core/axe.min.js");

// How long anything may take: it decides no result of a healthy run.
export const PATIENCE = 60_000;

/** A brigade dev over a new directory. Its worker is the program `exec`, or the sample. */
export async function dev(exec, ...more) {
  const folder = mkdtempSync(join(tmpdir(), "brigade-page-"));
  const data = join(folder, "brigade-data");
  const args = ["dev", "--port", "0", "--interval", "1s", ...more];
  if (exec) {
    const program = join(folder, "worker.sh");
    writeFileSync(program, exec, { mode: 0o755 });
    args.push("--no-samples", "--exec", program);
  }
  const env = { ...process.env, XDG_RUNTIME_DIR: folder };
  const child = spawn(process.env.BRIGADE, args, { cwd: folder, stdio: ["ignore", "pipe", "inherit"], env });
  const lines = createInterface({ input: child.stdout });
  const first = await new Promise((done, failed) => {
    lines.once("line", done);
    child.once("exit", (code) => failed(new Error(`brigade dev ended with ${code}`)));
  });
  const { serving } = JSON.parse(first);
  const { page: url, poller } = serving;
  const stop = async () => {
    const ended = new Promise((done) => child.once("exit", done));
    child.kill("SIGTERM");
    await ended;
    rmSync(folder, { recursive: true, force: true });
  };
  return { url, poller, serving, data, folder, env, stop };
}

/** Debian's Chromium. */
export function browser(...more) {
  const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
  return chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-dev-shm-usage", ...more] });
}

/** A page of the browser that has opened the printed address; errors of its script are in `errors`. */
export async function open(context, url) {
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  const errors = [];
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
  await page.goto(url);
  return { page, errors };
}

/** Loads the page again until it has the text. */
export async function until(page, text) {
  const end = Date.now() + PATIENCE;
  for (;;) {
    const shown = await page.locator("main").innerText();
    if (shown.includes(text)) return;
    if (Date.now() > end) throw new Error(`${page.url()} never had ${JSON.stringify(text)}:\n${shown}`);
    await page.waitForTimeout(300);
    await page.reload();
  }
}

// Counts the lines of each file.
const fs = require("node:fs");
const readline = require("node:readline");

const say = (message) => fs.writeSync(4, JSON.stringify(message) + "\n");
const jobs = readline.createInterface({ input: fs.createReadStream(null, { fd: 3 }) });

jobs.on("line", (line) => {
  const { job } = JSON.parse(line);
  if (!job) return;
  const lines = fs.readFileSync(job.path, "latin1").split("\n").length - 1;
  if (lines === 0) return say({ id: job.id, refuse: { reason: "it has no lines", kind: "empty" } });
  fs.writeFileSync(`${job.output_dir}/lines.txt`, `${lines}\n`);
  say({ id: job.id, accept: { summary: `${lines} lines`, labels: { lines } } });
});
say({ ready: true, protocol: 1, name: "lines" });

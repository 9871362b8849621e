"""Node: child_process and cluster. libuv forks and executes; nothing needs to be copied by that."""

from support import begin, find

SCRIPT = """
const cluster = require('cluster');
const { execFileSync, spawn, fork } = require('child_process');
const http = require('http');
if (process.argv[2] === 'child') {
    process.on('message', (n) => { process.send(n * 2); process.disconnect(); });
} else if (cluster.isPrimary) {
    console.log(execFileSync('/bin/sh', ['-c', 'echo from a shell']).toString().trim());
    let ended = 0;
    const next = () => {
        if (++ended < 4) return;
        process.exitCode = 9;
        console.log('all ended');
    };
    const sort = spawn('sort', ['-r']);
    sort.stdout.on('data', (text) => console.log('sorted', text.toString().replace(/\\n/g, ' ')));
    sort.on('close', (code) => { console.log('sort ended with', code); next(); });
    sort.stdin.end('a\\nc\\nb\\n');
    const child = fork(__filename, ['child']);
    child.on('message', (n) => console.log('the child doubled', n));
    child.on('exit', (code) => { console.log('the child ended with', code); next(); });
    child.send(21);
    for (let i = 0; i < 2; i++) cluster.fork();
    let answers = 0;
    cluster.on('listening', (worker, address) => {
        http.get({ port: address.port, host: '127.0.0.1', agent: false }, (answer) => {
            answer.on('data', (text) => console.log('answer', text.toString()));
            answer.on('end', () => {
                if (++answers === 2) for (const id in cluster.workers) cluster.workers[id].send('end');
            });
        });
    });
    cluster.on('exit', (worker, code) => { console.log('a worker ended with', code); next(); });
} else {
    const server = http.createServer((request, response) => response.end('hello'));
    server.listen(0, '127.0.0.1');
    process.on('message', (word) => { if (word === 'end') process.exit(3); });
}
"""

node = find("node", "nodejs")
test = begin(node, "--version")
test.both("node", [node, test.write("script.js", SCRIPT)], status=9)
test.finish()

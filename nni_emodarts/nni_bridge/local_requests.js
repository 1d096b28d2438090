/*
 * NNI's manager listens on every interface, asks for no login, and runs commands. Here it listens on 127.0.0.1, unless
 * EMODARTS_MANAGER_HOST names another address, and refuses what a page of another site sends through a browser of this
 * machine: its requests, and those of its websockets, name that site as Host (DNS rebinding) or as Origin.
 *
 * Where trials run on other machines, it listens at `nniManagerIp` as well, for these machines alone, and answers there
 * what their trials have to ask.
 */
'use strict';

const http = require('http');
const net = require('net');
const os = require('os');

const HOST = process.env.EMODARTS_MANAGER_HOST || '127.0.0.1';
const LOOPBACK = ['localhost', '127.0.0.1', '[::1]'];
const OF_WORKERS = /^(\/[\w/-]+)?(\/platform\/[\w-]+\/\w+|\/api\/v1\/nni\/trial-jobs\/\w+)(\?|\/\.websocket|$)/;
const REQUESTS = ['request', 'upgrade', 'connect', 'checkContinue', 'checkExpectation'];

let manager = null; // the server that NNI itself started
const fromWorkers = new WeakSet(); // connections

const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (port, ...rest) {
    const named = typeof port !== 'number' || typeof rest[0] === 'string';
    manager = named ? manager : this;
    return named ? listen.call(this, port, ...rest) : listen.call(this, port, HOST, ...rest);
};

/** Listen at another address of this machine, for these machines alone. */
exports.listenToWorkers = function (address, workers) {
    if (!LOOPBACK.includes(HOST) || LOOPBACK.includes(address)) {
        return Promise.resolve(); // it does already
    }
    const server = net.createServer(connection => {
        if (!workers.has(connection.remoteAddress.replace(/^::ffff:/, ''))) {
            connection.destroy();
            return;
        }
        fromWorkers.add(connection);
        manager.emit('connection', connection);
    });
    manager.on('close', () => server.close());
    return new Promise((resolve, reject) => {
        server.once('error', reject);
        server.listen(manager.address().port, address, resolve);
    });
};

const emit = http.Server.prototype.emit;
http.Server.prototype.emit = function (event, request, ...rest) {
    const reason = REQUESTS.includes(event) ? foreign(request) : null;
    if (reason === null) {
        return emit.call(this, event, request, ...rest);
    }
    refuse(rest[0], `${reason} is not this server's; open http://localhost:${request.socket.localPort}\n`);
    return true;
};

/** What a request says of itself that no request of ours does; null where it is one of ours. */
function foreign(request) {
    const { host, origin } = request.headers;
    if (fromWorkers.has(request.socket)) {
        const isAsked = OF_WORKERS.test(request.url) && ['GET', 'HEAD'].includes(request.method);
        return isAsked && origin === undefined && net.isIP((host || '').replace(/:\d+$/, '').replace(/^\[|\]$/g, '')) !== 0
            ? null : `what another machine asks (${visible(request.url)})`;
    }
    if (!isOurs(host || '')) {
        return `Host ${visible(host || 'none')}`;
    }
    return origin === undefined || origin.toLowerCase() === `http://${host.toLowerCase()}` ? null : `Origin ${visible(origin)}`;
}

/** Whether a Host header names this machine; behind a tunnel the port is another. No site can be called by an address. */
function isOurs(host) {
    const found = /^(\[[0-9a-f:.]+\]|[^:]+)(:\d+)?$/.exec(host.toLowerCase());
    if (found === null) {
        return false;
    }
    const name = found[1];
    const elsewhere = net.isIP(name.replace(/^\[|\]$/g, '')) !== 0 || name === os.hostname().toLowerCase();
    return LOOPBACK.includes(name) || (!LOOPBACK.includes(HOST) && elsewhere);
}

function visible(text) {
    return String(text).replace(/[^\w.:/[\]-]/g, '?').slice(0, 100);
}

/** Answer a response, or the bare socket of an upgrade. */
function refuse(answer, text) {
    if (typeof answer.writeHead === 'function') {
        answer.writeHead(403, { 'Content-Type': 'text/plain; charset=utf-8', Connection: 'close' });
        answer.end(text);
        return;
    }
    answer.on('error', () => answer.destroy());
    answer.end(`HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`);
}

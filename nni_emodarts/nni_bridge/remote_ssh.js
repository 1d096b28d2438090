/*
 * NNI connects to any machine that answers under a worker's address, whatever its host key; an SSH connection that breaks
 * ends the manager; and each worker first runs `pip install nni --upgrade`. Here the host key is one that known_hosts
 * holds, a connection that breaks is that of one machine, and the packages, whose versions were compared, stay.
 */
'use strict';

const { execFileSync } = require('child_process');
const os = require('os');
const path = require('path');

const { whenLoaded } = require('./loading.js');

const KNOWN = [path.join(os.homedir(), '.ssh', 'known_hosts'), '/etc/ssh/ssh_known_hosts'];
const KEEPALIVE = 5000; // ms
const UNANSWERED = 3; // of them, after which a connection is lost
const UPGRADE = / -m pip install nni --upgrade$/;
const SIGNATURES = { 'ssh-rsa': ['rsa-sha2-512', 'rsa-sha2-256'] };

whenLoaded('ssh2', 'remote_v3', loaded => {
    const client = loaded.Client.prototype;
    if (client.connectsToKnown) {
        return loaded;
    }
    const connect = client.connect;
    client.connectsToKnown = true;
    client.connect = function (config) {
        const known = hostKeys(config.host, config.port);
        const kinds = [...new Set(known.map(key => key.kind))].flatMap(kind => SIGNATURES[kind] || [kind]);
        this.on('error', error => console.error(`SSH to ${config.host}: ${error.message}`)); // else it ends the manager
        return connect.call(this, {
            ...config,
            keepaliveInterval: KEEPALIVE,
            keepaliveCountMax: UNANSWERED,
            ...(kinds.length ? { algorithms: { serverHostKey: kinds } } : {}),
            hostVerifier: key => known.some(each => each.text === key.toString('base64')),
        });
    };
    return loaded;
});

/** The keys that known_hosts holds for a machine. */
function hostKeys(host, port) {
    const name = port === 22 ? host : `[${host}]:${port}`;
    return KNOWN.flatMap(file => found(name, file)).map(line => {
        const [, kind, text] = line.split(' ');
        return { kind, text };
    });
}

function found(name, file) {
    try {
        const told = execFileSync('ssh-keygen', ['-F', name, '-f', file], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
        return told.split('\n').filter(line => line && !/^[#@]/.test(line));
    } catch (error) {
        return []; // no such file, or no such host in it
    }
}

whenLoaded('./ssh', path.join('remote_v3', 'worker.js'), loaded => {
    const ssh = loaded.Ssh.prototype;
    if (!ssh.keepsPackages) {
        const run = ssh.run;
        ssh.keepsPackages = true;
        ssh.run = function (command) {
            return UPGRADE.test(command) ? Promise.resolve('') : run.call(this, command);
        };
    }
    return loaded;
});

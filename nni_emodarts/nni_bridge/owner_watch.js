/*
 * NNI's manager outlives the command that started it, however that ends, and leaves behind what a trial's shell started.
 * Here it stops its experiment once the process that EMODARTS_OWNER names (PID:START, of /proc/PID/stat) is gone, and,
 * when it ends for whatever reason, ends all that is left in its process group: trials, their children, the tuner.
 */
'use strict';

const fs = require('fs');

const POLL = 1000; // ms
const PATIENCE = 20000; // ms for stopping the experiment in order
const LITTLE_PATIENCE = 5000; // ms, where nobody waits for it any more
const [OWNER, START] = (process.env.EMODARTS_OWNER || '').split(':');
delete process.env.EMODARTS_OWNER; // trials have another

/** State, process group and start of a process. */
function look(pid) {
    const text = fs.readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return { state: fields[0], group: Number(fields[2]), start: fields[19] };
}

function ownerLives() {
    try {
        const owner = look(OWNER);
        return owner.start === START && !'ZX'.includes(owner.state);
    } catch (error) {
        return !['ENOENT', 'ESRCH'].includes(error.code); // what cannot be read for another reason may live
    }
}

function endGroup() {
    for (const pid of fs.readdirSync('/proc').filter(name => /^\d+$/.test(name) && Number(name) !== process.pid)) {
        try {
            if (look(pid).group === process.pid) {
                process.kill(Number(pid), 'SIGKILL');
            }
        } catch (error) {
            // it has ended by itself
        }
    }
}

function endWithin(patience) {
    setTimeout(() => process.exit(1), patience).unref();
}

process.on('exit', endGroup);
process.on('SIGTERM', () => endWithin(PATIENCE));

if (OWNER) {
    const watch = setInterval(() => {
        if (!ownerLives()) {
            clearInterval(watch);
            endWithin(LITTLE_PATIENCE);
            process.kill(process.pid, 'SIGTERM');
        }
    }, POLL);
}

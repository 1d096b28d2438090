/*
 * Loaded into NNI's manager by `node --require`, as NODE_OPTIONS says. Every other program of Node.js stays as it is.
 *
 * - netron_offline: a click on Netron without internet does not end the experiment.
 * - local_requests: the manager listens on this machine alone, and answers no page of another site.
 * - trial_files:    `trial-file` serves files of a trial's own folder.
 * - remote_ssh:     other machines are those that known_hosts says, and keep the packages that they have.
 * - remote_workers: one that is lost is noticed, and trials go to the others.
 * - owner_watch:    the manager ends with the command that started it, and whatever it started ends with the manager.
 */
'use strict';

const path = require('path');

if ((process.argv[1] || '').endsWith(path.join('nni_node', 'main.js'))) {
    for (const part of ['netron_offline', 'local_requests', 'trial_files', 'remote_ssh', 'remote_workers', 'owner_watch']) {
        require(`./${part}.js`);
    }
}

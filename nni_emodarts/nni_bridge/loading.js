/* Changes of a module at the moment when NNI's manager loads it. */
'use strict';

const Module = require('module');

/** Pass on what `require(name)` returns in files whose path holds `where` through `change`. */
exports.whenLoaded = function (name, where, change) {
    const load = Module._load;
    Module._load = function (request, parent, ...rest) {
        const loaded = load.call(this, request, parent, ...rest);
        const file = (parent && parent.filename) || '';
        return request === name && file.includes(where) ? change(loaded) : loaded;
    };
};

/*
 * A click on "Netron" in the web UI is passed on to https://netron.app. NNI handles no error of that: without internet
 * the exception ends the manager, and the experiment with it. Here the click is answered by a page that says so.
 */
'use strict';

const path = require('path');

const { whenLoaded } = require('./loading.js');

const TRIAL_FILE = /\/trial-file\/([A-Za-z0-9]+)\/model\.onnx$/;

whenLoaded('http-proxy', path.join('nni_node', 'rest_server'), guarded);

/** http-proxy, whose proxies answer errors instead of throwing them. */
function guarded(httpProxy) {
    return {
        __esModule: false,
        createProxyServer(...options) {
            const proxy = httpProxy.createProxyServer(...options);
            proxy.on('error', (error, request, response) => answer(error, request, response));
            return proxy;
        },
    };
}

function answer(error, request, response) {
    if (response.headersSent || typeof response.writeHead !== 'function') {
        response.destroy();
        return;
    }
    response.writeHead(502, { 'Content-Type': 'text/html; charset=utf-8' });
    const root = (request.baseUrl || '').replace(/\/netron$/, '');
    response.end(page(String(error.code || error.message), root, trialOf(request)));
}

/** Id of the trial whose model.onnx was to be opened, which holds no character that means something in HTML. */
function trialOf(request) {
    const url = new URL(request.originalUrl || request.url, 'http://localhost').searchParams.get('url');
    const found = TRIAL_FILE.exec(url || '');
    return found === null ? null : found[1];
}

/** `root` is the prefix of the manager's addresses, which its owner chose. */
function page(reason, root, trial) {
    const links = trial === null ? '' : `
<ul>
<li><a href="${root}/logs/${trial}.svg">The drawing of this trial's network</a>, which needs no internet</li>
<li><a href="${root}/api/v1/nni/trial-file/${trial}/model.onnx" download="model.onnx">Its model.onnx</a>; to see it here:
<code>pip install 'nni_emodarts[netron]'</code>, then <code>emodarts view model.onnx</code></li>
</ul>`;
    return `<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Netron cannot be reached</title>
<style>body{font:16px/1.5 sans-serif;max-width:42em;margin:3em auto;padding:0 1em}</style></head>
<body><h1>Netron cannot be reached</h1>
<p>NNI fetches this viewer from https://netron.app, which cannot be reached from here
(${reason.replace(/[^\w .:-]/g, '')}). The experiment goes on.</p>${links}
</body></html>
`;
}

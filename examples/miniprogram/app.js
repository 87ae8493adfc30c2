const { createBackend } = require('./utils/backend');
const config = require('./config');

App({
  onLaunch() {
    // One backend for the whole mini program: pages use getApp().backend.
    this.backend = createBackend(wx, config);
  },
});

// Where wxsteward is. Leave out `cloud` on an ordinary server, or `baseURL` where only Cloud Run is used.
// A merchant's own values can come from ext_json: wx.getExtConfigSync() overrides what is here.
module.exports = {
  cloud: {
    env: 'prod-xxxxxxxx', // id of the Cloud Run environment
    service: 'wxsteward', // name of the service in it
    // The account that owns the environment, when it is shared with this mini program: the platform's appid, for example.
    resourceAppid: '',
  },
  baseURL: 'https://wx.example.com', // must be among the mini program's request domains
};

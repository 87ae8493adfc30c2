Page({
  data: { me: null, phone: null, error: '' },

  onLoad() {
    this.load();
  },

  async load() {
    try {
      this.setData({ me: await getApp().backend.call('/miniapp/whoami'), error: '' });
    } catch (err) {
      this.setData({ error: err.message });
    }
  },

  async onPhone(event) {
    try {
      const phone = await getApp().backend.phoneNumber(event);
      this.setData(phone ? { phone, error: '' } : { error: '您没有授权手机号' });
    } catch (err) {
      this.setData({ error: err.message });
    }
  },
});

package component

// IsTestAccount reports whether appid is one of the ten accounts WeChat authorizes by itself while it checks a platform
// before 全网发布. They are nobody's merchants and must never be listed as such.
//
// WeChat docs:
// https://developers.weixin.qq.com/doc/oplatform/Third-party_Platforms/2.0/operation/thirdparty/releases_instructions.html
func IsTestAccount(appid string) bool {
	switch appid {
	case "wx570bc396a51b8ff8", "wx9252c5e0bb1836fc", "wx8e1097c5bc82cde9", "wx14550af28c71a144", "wxa35b9c23cfe664eb", // 公众号
		"wxd101a85aa106f53e", "wxc39235c15087f6f3", "wx7720d01d4b2a4500", "wx05d483572dcd5d8b", "wx5910277cae6fd970": // 小程序
		return true
	default:
		return false
	}
}

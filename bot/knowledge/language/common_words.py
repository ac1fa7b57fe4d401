"""The words that customers of any shop use most, for what its articles cannot teach.

Vietnamese is phrases, so that syllables come with their neighbours and their accents.
"""

ENGLISH = """
the i to a you and is it my in of for do can what how that have not me this on with be are
if when where no your just get but so was from at there or does an will would we about any
has out all up one did been why im i'm by which am it's could should other than then after
before too also as he she they their them our who while into over off because even very really
don't can't won't doesn't didn't isn't wasn't couldn't haven't hasn't i've i'd i'll you're what's
where's how's that's there's let's cannot dont cant doesnt isnt didnt since until without between
under both each every such own were had being some anything something nothing someone anyone
everything always never here now us its his her these those again still only through during
against around another much many more most few less own same whose whom might must shall may
"""
"""Words that hold English sentences together, the most frequent first."""

ENGLISH_ANYWHERE = """
order ok please hello hi thanks thank yes yeah need want help like know hey yep nope okay sure
delivery deliver delivered ship shipping shipped package parcel tracking track arrive arrived
late lost damaged broken missing return returns refund refunds exchange cancel change address
account password login log email phone number code discount coupon voucher promo gift card pay
paid payment price cost costs cheap expensive free money bank credit debit cash charge charged
invoice receipt bill buy bought purchase product products item items stock available size color
colour store shop open opening warranty guarantee repair fix fixed service support customer
agent human person talk speak chat call contact question problem issue error start turn time
stopped stop clean cleaning filter water battery charger screen button light noise smell leak
leaking manual instructions install setup set connect wifi bluetooth app update download day
subscription trial plan website page link online country international abroad days long way
difference better best old second hand hang big small box part parts back good right sorry great
replacement spare offer sale deal points member register sign delete privacy data terms job jobs
send sent receive received pick pickup home house office door street city post zip name wrong
people man woman child kids friend english language translate mean means write read dear nice
work working works use used using say tell said find make made see look looking show wait
waiting check ask try trying tried go got going come came take took put keep let give new last
first next week weeks month months year years hour hours minute minutes today tomorrow yesterday
morning evening night monday tuesday wednesday thursday friday saturday sunday bad safe possible
r u ur pls plz thx ty bye lol hiya course agree correct exactly idea sounds enough hold skip
leave forget important matter mind reset settings failed status policy machine device brand model
list moment minute sec change switch repeat else already together free lot little real
"""
"""English that is also said in the middle of other languages."""

VIETNAMESE = """
cho mình hỏi, cho em hỏi, cho tôi hỏi, cho hỏi chút, shop ơi, ad ơi, bạn ơi, anh ơi, chị ơi
em ơi, alo, xin chào, chào shop, chào bạn, chào em, dạ vâng ạ, dạ không ạ, vâng, ừ, ờ, ok nha
cảm ơn, cám ơn, cảm ơn shop nhiều, xin lỗi, tạm biệt, không sao, được rồi, được không, có được
không, có không, không có, không được, không phải, phải không, đúng rồi, đúng không, sai rồi
là gì, là sao, cái gì, cái này, cái đó, cái nào, loại nào, mẫu nào, bên nào, chỗ nào, ở đâu
đi đâu, khi nào, lúc nào, bao giờ, bao lâu, bao nhiêu, bao nhiêu tiền, mấy ngày, mấy giờ, mấy
tiếng, tại sao, vì sao, sao vậy, sao lại, sao không, thế nào, như thế nào, làm sao, làm thế nào
ai vậy, có ai, gì vậy, gì thế, chưa, có chưa, xong chưa, đến chưa, nhận được chưa, vẫn chưa
thấy, rồi mà, mà sao, nhưng mà, nếu thì, thì sao, còn không, còn hàng không, hết hàng, hết rồi
tôi muốn, mình muốn, em muốn, anh muốn, muốn mua, muốn đổi, muốn trả, muốn hủy, mình cần, tôi
cần, giúp mình, giúp tôi với, giùm em, hộ mình, nhờ shop, với ạ, nhé, nha, nhá, đi, đây, đó
đấy, kia, này, ấy, vậy, thế, hả, hở, à, nhỉ, quá, lắm, rất, hơi, khá, nhiều, ít, hơn, nhất
bị lỗi, bị hỏng, bị hư, bị vỡ, bị móp, bị bể, bị trễ, bị chậm, bị mất, bị trừ tiền, không lên
nguồn, không chạy, không hoạt động, không vào được, không dùng được, không mở được, kêu to quá
chảy nước, rò nước, có mùi, nóng quá, tự nhiên tắt, sửa, thay, lắp, tháo, vệ sinh, rửa, lau
chùi, cài đặt, cách dùng, cách làm, hướng dẫn sử dụng, kết nối, sạc, pin, màn hình, nút, đèn
đơn hàng, đơn của mình, mã đơn, đặt hàng, đặt mua, đặt nhầm, giao hàng, giao nhầm, giao thiếu
giao tới, gửi hàng, nhận hàng, ship về, phí ship, phí vận chuyển, miễn phí, vận đơn, kiểm tra
theo dõi đơn, hủy đơn, đổi hàng, đổi trả, trả hàng, trả lại, hoàn tiền, lấy lại tiền, bảo hành
giá, giá cả, giá bao nhiêu, mắc quá, đắt, rẻ, giảm giá, khuyến mãi, mã giảm, ưu đãi, quà tặng
thanh toán, trả tiền, trả góp, chuyển khoản, tiền mặt, thẻ, ngân hàng, tài khoản, hóa đơn, xuất
hóa đơn, mật khẩu, quên, đăng nhập, đăng ký, số điện thoại, địa chỉ, tên, email, thông tin, mua
bán, bán hàng, sản phẩm, chất lượng, hàng thật, chính hãng, màu, màu đen, màu trắng, kích cỡ
to, nhỏ, lớn, dài, ngắn, nặng, nhẹ, mới, cũ, tốt, xấu, đẹp, nhanh, chậm, sớm, muộn, lâu quá
cửa hàng, bên mình, bên em, bên shop, nhân viên, tư vấn, tư vấn viên, gặp người thật, nói chuyện
với người, gọi điện, gọi lại, nhắn tin, trả lời, liên hệ, hỗ trợ, khiếu nại, bực mình, thất vọng
hôm nay, hôm qua, hôm trước, ngày mai, tuần sau, tuần trước, tháng này, năm nay, sáng nay, chiều
tối nay, bây giờ, lúc nãy, trước, sau, trong, ngoài, trên, dưới, từ, đến, tới, về, ra, vào, lên
xuống, qua, lại, nữa, luôn, cũng, đều, chỉ, mới, đã, đang, sẽ, vừa, hay, hoặc, và, của, cả, mọi
các, những, một, hai, ba, bốn, năm, sáu, bảy, tám, chín, mười, trăm, nghìn, ngàn, triệu, đồng
người, nhà, nước, máy, xe, điện, việc, con, bé, trẻ em, gia đình, bạn bè, thành phố, hà nội, sài
gòn, đà nẵng, tỉnh, quận, huyện, đường, quốc tế, nước ngoài, việt nam, tiếng việt, tiếng anh
biết, hiểu, nghĩ, nói, nghe, xem, tìm, thử, để, dùng, sử dụng, bật, tắt, bấm, nhấn, chọn, thêm
bớt, xóa, sửa, lưu, tải, gửi, chờ, đợi, mong, thích, ghét, sợ, lo, an toàn, nguy hiểm, có thể
ko, có ko, dc ko, ko dc, dc k, có k, k dc, k có, đt, sđt, ntn, bn, ck, cod, thôi, cái, chiếc, đôi
cần thiết, khác nhau, giống nhau, so với, hàng về, có sẵn, nên mua, nào tốt hơn, chịu, bên kia
"""
